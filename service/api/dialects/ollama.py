"""Ollama's embeddings: `/api/embed`, and what its clients ask before."""

from fastapi import APIRouter

from service.api.body import JsonRoute

router = APIRouter(route_class=JsonRoute, tags=["Ollama"])
