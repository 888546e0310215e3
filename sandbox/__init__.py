"""One machine as a cloud: what a rehearsal runs a stack against, instead of AWS."""
