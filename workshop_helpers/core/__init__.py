"""What every room stands on: errors, artifacts, cards, JSON, the device, memory."""
