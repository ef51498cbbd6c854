package import SystemPackage

/// An adapter that is merged into the weights of a checkpoint as they are read.
package struct MergedAdapter: Hashable, Sendable {
  package let path: FilePath
  /// Of modules of the denoiser.
  package let denoiserRatio: Float
  /// Of modules of text encoders.
  package let textRatio: Float
  /// The option that names it, for messages; nil for an argument.
  package let option: String?

  package init(
    _ path: FilePath, denoiserRatio: Float, textRatio: Float, option: String? = nil
  ) {
    self.path = path
    self.denoiserRatio = denoiserRatio
    self.textRatio = textRatio
    self.option = option
  }

  /// One strength for all modules.
  package init(_ path: FilePath, ratio: Float, option: String? = nil) {
    self.init(path, denoiserRatio: ratio, textRatio: ratio, option: option)
  }
}
