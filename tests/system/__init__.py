"""Tests of the running product from outside: processes, HTTP, the brands' own SDKs. No Python of ours is called."""
