"""The worker process: lanes that each do one kind of work again and again, and the micro-batch that feeds them."""
