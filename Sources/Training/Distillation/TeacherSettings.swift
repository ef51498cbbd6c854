package import SystemPackage

/// What an adapter learns from in place of what was done to latents.
package struct TeacherSettings: Sendable {
  /// A checkpoint of the base's structure.
  package var model: FilePath
  /// A file of prompts that it draws its own latents of; nil for the empty prompt.
  package var prompts: FilePath?
  /// How many it draws, where there are no pictures.
  package var pictureCount = 64

  package init(_ model: FilePath) { self.model = model }
}
