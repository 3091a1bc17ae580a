"""What outlives a crash: index, queue, outbox, journal, files. No network, no AI."""
