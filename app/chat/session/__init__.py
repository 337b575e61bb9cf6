"""The middle of the chat, without a screen: what is asked, answered, opened and loaded."""
