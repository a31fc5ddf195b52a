"""The talk: two decks, what fills their placeholders, and what builds them."""
