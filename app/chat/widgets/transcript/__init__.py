"""The conversation on the screen: one widget for all messages, drawn line by line near the view."""

from app.chat.widgets.transcript.transcript import Transcript

__all__ = ["Transcript"]
