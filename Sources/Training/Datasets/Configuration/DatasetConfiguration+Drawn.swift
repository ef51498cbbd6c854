import Machine
import ModelFamilies
import Sampling
import SystemPackage

extension DatasetConfiguration {
  /// One dataset of what a model draws: each picture in its own size, and nothing done to it.
  /// - Throws: `DatasetError` of a value that does not fit another.
  init(
    drawing requests: [PictureRequest], by path: FilePath, _ defaults: DatasetDefaults,
    latents: LatentLayout
  ) throws(DatasetError) {
    self.init(datasets: [], isFromFile: false)
    var values = defaults.values
    let sizes = requests.map { Resolution($0.width, $0.height) }
    values.resolution = sizes.max { $0.area < $1.area }
    let given = [
      ("--flip_aug", values.flipAug), ("--color_aug", values.colorAug),
      ("--random_crop", values.randomCrop), ("--alpha_mask", values.alphaMask),
    ].filter { $0.1 ?? false }.map { "'\($0.0)'" }
    if !given.isEmpty {
      notices.append(
        "\(given.joined(separator: ", ")) \(given.count == 1 ? "has" : "have") no effect: there are no pictures, but "
          + "latents that the teacher draws")
    }
    (values.flipAug, values.colorAug, values.randomCrop) = (nil, nil, nil)
    (values.alphaMask, values.enableBucket) = (nil, nil)
    values.imageDir = path.text
    datasets = [
      try Self.dataset([values], [Self.subset([values], defaults)], defaults)
    ]
    try checkSettings(latents)
  }
}
