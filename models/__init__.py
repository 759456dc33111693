"""What we predict, and how well."""
