import Sampling
import SystemPackage

extension TrainingExample {
  /// Latents that a model draws: what its picture would be in size and caption.
  init(drawing request: PictureRequest, _ index: Int, by path: FilePath, repeats: Int) {
    let size = Resolution(request.width, request.height)
    self.init(
      path: path.appending("picture \(index + 1)"), caption: request.prompt, size: size,
      repeats: repeats, isRegularization: false, dataset: 0, subset: 0, mask: nil,
      choice: .init(bucket: size, resized: size, proportionError: 0))
    drawn = request
  }
}
