"""What a sonographer could review: prompts, captions and growth charts. No torch."""
