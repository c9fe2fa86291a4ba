"""Three agents, each a plain script that needs nothing but the OpenAI SDK and environment variables to be seen."""
