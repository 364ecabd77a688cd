"""Imports: a brand's files and tables become events, people, products and stores by a mapping that operators save."""
