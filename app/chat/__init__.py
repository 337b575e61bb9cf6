"""`qwen2-chat`: answers one prompt in a pipe, or opens a full-screen chat."""
