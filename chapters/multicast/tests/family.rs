//! Everything that makes a chapter of this family done.

volvox_lab::test_family!(volvox_chapters_multicast::FAMILY);
