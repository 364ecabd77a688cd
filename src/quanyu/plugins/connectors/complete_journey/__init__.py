"""The Complete Journey data as a brand's files, and what a demonstration adds to it."""
