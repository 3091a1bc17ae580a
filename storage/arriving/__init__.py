"""What arrives and what is asked for: who sends, what came under one name, what is rejected, lacking or earlier."""
