"""What the doors of both services have in common: certificates that are read again, and bearer JWTs of an issuer."""
