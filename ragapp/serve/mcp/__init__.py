"""The service for agents: search, ask and read_document by the Model Context Protocol, over HTTP and stdio."""
