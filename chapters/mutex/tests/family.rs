//! Runs everything that counts as done for a chapter of this family.

volvox_lab::test_family!(volvox_chapters_mutex::FAMILY);
