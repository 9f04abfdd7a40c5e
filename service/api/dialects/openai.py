"""OpenAI's embeddings: `/v1/embeddings` and `/v1/models`."""

from fastapi import APIRouter

from service.api.body import JsonRoute

router = APIRouter(route_class=JsonRoute, tags=["OpenAI"])
