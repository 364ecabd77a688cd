"""A webhook as a channel: messages go to a system of the brand's own."""
