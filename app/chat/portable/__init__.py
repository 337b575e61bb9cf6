"""Chats as files for other programs and people, and back from JSON."""

from app.chat.portable.export import Kind, export_chat, import_chats

__all__ = ["Kind", "export_chat", "import_chats"]
