"""The steps of one job: submit, poll, download."""
