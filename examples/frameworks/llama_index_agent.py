"""A LlamaIndex program that knows nothing of telemetry: it files three notes by embedding and answers from them."""

from llama_index.core import Document, Settings, VectorStoreIndex
from llama_index.embeddings.openai import OpenAIEmbedding
from llama_index.llms.openai import OpenAI


def main() -> None:
    """One question over three notes."""
    Settings.llm = OpenAI(model="gpt-4o-mini")
    Settings.embed_model = OpenAIEmbedding(model="text-embedding-3-small")
    notes = ["Rates unchanged.", "A quiet quarter.", "Rain until Friday."]
    index = VectorStoreIndex.from_documents([Document(text=note) for note in notes])
    index.as_query_engine().query("How was the quarter?")


if __name__ == "__main__":
    main()
