"""The stages of a study's walk; no stage imports another."""
