"""Reporters: a report in, text out. One file a format; nothing here decides anything."""
