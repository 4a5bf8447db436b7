"""Runs operations on their own: from Python, from commands, from files of commands."""
