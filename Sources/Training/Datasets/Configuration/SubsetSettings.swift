package import Images
package import Sampling
package import SystemPackage

/// A folder or list of images with everything that is said of it, all levels applied.
package struct SubsetSettings: Equatable, Sendable {
  /// Where images are; nil where a metadata file has whole paths.
  package var folder: FilePath?
  package var metadataFile: FilePath?
  /// Masks of the same names as the images.
  package var maskFolder: FilePath?
  package var repeats = 1
  package var isRegularization = false
  /// The caption of images without one.
  package var classTokens: String?
  /// Ending of caption files; nil for `.caption`.
  package var captionExtension: String?
  package var captions = CaptionSettings()
  package var flips = false
  package var variesColors = false
  package var cropsAtRandom = false
  package var usesAlphaMask = false
  /// nil for sd-scripts' choice by size.
  package var interpolation: Interpolation?
  package var customAttributes: [String: ConfigurationValue] = [:]

  package init() {}

  /// Whether the image is the same in every epoch, but for mirroring.
  package var isCacheable: Bool { !variesColors && !cropsAtRandom }

  /// The place of the images, for messages and metadata.
  package var source: FilePath { metadataFile ?? folder ?? "" }
}
