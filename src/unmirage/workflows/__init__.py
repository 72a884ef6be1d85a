"""What commands and public functions do, as functions of paths and objects."""
