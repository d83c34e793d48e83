"""What the server does with a photo, in Python, and the exam of a pack on photographs."""
