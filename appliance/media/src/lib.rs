//! What is inside FLV and Enhanced RTMP tag bodies: codecs, configuration, keyframes.
