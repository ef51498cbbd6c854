package import Tensors

/// Where the drawing of pictures says how far it has come and what has come of it.
package struct PictureObserver {
  package enum Phase: Hashable, Sendable {
    case readingTextEncoders, encodingPrompts, readingDenoiser, drawing, decoding
  }

  /// A picture that is whole.
  package struct Picture {
    /// Of `SamplingPlan.variants`.
    package let variant: Int
    /// Of `SamplingPlan.pictures`.
    package let index: Int
    /// `[1, height, width, 3]`, about -1 to 1.
    package let pixels: Tensor
  }

  /// Steps that are done, over all pictures.
  package struct Step: Hashable, Sendable {
    /// From 1, of all pictures of all variants.
    package let picture, pictureCount: Int
    /// Of that picture.
    package let step, stepCount: Int
    /// Of all the work with the denoiser, what is done, 0 to 1, and what a step like this one takes.
    package let share, shareOfStep: Double
  }

  package var begin: (Phase) -> Void = { _ in }
  package var stepped: (Step) -> Void = { _ in }
  /// A picture of what is there yet.
  package var preview: (Picture) throws -> Void = { _ in }
  package var drawn: (Picture) throws -> Void = { _ in }

  package init() {}
}
