"""What `inspect` draws in the terminal with rich: shades and colours, heat maps, plots, tables."""
