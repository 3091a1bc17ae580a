"""What belongs to jobs: results, reviews of them, models that are tried or stand beside, work handed back."""
