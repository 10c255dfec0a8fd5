"""The OpenAPI document of a deployment: routes, schemas and examples from the live contract."""
