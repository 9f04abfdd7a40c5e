"""What Weaviate's module text2vec-transformers calls."""

from fastapi import APIRouter

from service.api.body import JsonRoute

router = APIRouter(route_class=JsonRoute, tags=["Weaviate"])
