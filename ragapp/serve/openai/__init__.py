"""The service as OpenAI's API: chat completions, embeddings and models, for clients that speak only that."""
