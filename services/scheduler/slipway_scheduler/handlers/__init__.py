"""What the scheduler does when something comes, or a time has come."""
