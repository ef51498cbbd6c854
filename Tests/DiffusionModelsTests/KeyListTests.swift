import Autograd
import DiffusionModels
import ModelFamilies
import Pipelines
import Tensors
import TestSupport
import Testing

/// Models built of the key lists of real checkpoints, all widths divided by 64: every module that an
/// adapter can name has its layer, by the same path.
@Suite struct KeyListTests {
  @Test func stableDiffusion1() throws {
    try check(KeyList("sd1.ldm"), as: "sd1", textLayers: 12)
  }

  @Test func stableDiffusion2() throws {
    try check(KeyList.sd2(), as: "sd2", textLayers: 23)
  }

  private func check(_ list: KeyList, as name: String, textLayers: Int) throws {
    let small = KeyList(
      tensors: list.tensors.map { key, shape in
        (key, Shape(shape.dimensions.map { $0 % 64 == 0 ? $0 / 64 : $0 }))
      })
    let layout = try small.layout(as: ModelFamily.named(name))
    let source = RandomParameters(layout)
    let heads = HeadRule.width(1)
    let unet = try UNet2DCondition(
      source, configuration: UNetConfiguration(heads: heads, groups: 5), compute: .f32)
    #expect(
      Set(unet.layers.map(\.path))
        == Set(layout.modules.filter { $0.component == "unet" }.map(\.path)))
    let modules = layout.modules.filter { $0.component == "te1" && $0.kind != .embedding }
    let layers = Dictionary(uniqueKeysWithValues: unet.layers.map { ($0.path, $0) })
    for module in layout.modules where module.component == "unet" {
      #expect(layers[module.path]?.weightShape == module.shape)
    }
    let encoder = try CLIPTextModel(
      source,
      configuration: CLIPTextConfiguration(
        heads: heads, activation: .gelu, layerCount: textLayers), compute: .f32)
    let unused = "text_model.encoder.layers.\(textLayers)."
    #expect(
      Set(encoder.layers.map(\.path))
        == Set(modules.map(\.path).filter { !$0.hasPrefix(unused) }))
    #expect(encoder.layers.count == 8 * textLayers + 1)
    guard layout.modules.contains(where: { $0.component == "vae" }) else { return }
    let vae = try VAEEncoder(source, configuration: VAEConfiguration(groups: 2), compute: .f32)
    let encoding = layout.modules.filter {
      $0.component == "vae" && ($0.path.hasPrefix("encoder.") || $0.path == "quant_conv")
    }
    #expect(Set(vae.layers.map(\.path)) == Set(encoding.map(\.path)))
    let decoder = try VAEDecoder(
      source, configuration: VAEConfiguration(groups: 2), channels: 4, compute: .f32)
    let all = layout.modules.filter { $0.component == "vae" }
    #expect(decoder.layers.count == all.count - encoding.count)
    #expect(Set((vae.layers + decoder.layers).map(\.path)) == Set(all.map(\.path)))
  }
}
