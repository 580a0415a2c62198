//! RTMP and Enhanced RTMP, both roles, sans-IO.
