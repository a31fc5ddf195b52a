"""From rows to an adapter, and from an adapter to a merged model."""
