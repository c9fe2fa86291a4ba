"""What the doors of both services have in common: certificates, bearer JWTs of an issuer, and values of settings."""
