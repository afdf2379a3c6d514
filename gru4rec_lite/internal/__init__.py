"""What no chapter teaches: guards of arguments, files, devices, the compiler, the caller's state, names of settings."""
