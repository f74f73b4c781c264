"""Still images: encoding for upload, thumbnails, contact sheets."""
