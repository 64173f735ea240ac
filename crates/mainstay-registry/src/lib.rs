//! Providers, their typed registry and the plan of their lifecycle.
