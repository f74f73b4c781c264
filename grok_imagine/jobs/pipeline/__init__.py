"""What happens to one job: submit, poll, download."""
