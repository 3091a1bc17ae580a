"""Where a request runs: in this process, or in one worker process a device."""
