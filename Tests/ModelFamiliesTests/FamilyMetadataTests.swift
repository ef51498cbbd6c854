import ModelFamilies
import Testing

/// What the metadata of an adapter call its family.
@Suite struct FamilyMetadataTests {
  private static let families = ModelFamily.all.filter { $0 != .generic }

  /// Of all families the field has words; of any model it has none.
  @Test(arguments: families) func everyFamilyHasOne(family: ModelFamily) throws {
    let facts = try #require(FamilyMetadata(of: family))
    for text in [facts.baseModelVersion, facts.architecture] {
      #expect(!text.isEmpty && !text.hasSuffix("/lora"))
    }
    #expect(facts.implementation.hasPrefix("https://"))
    #expect(facts.resolution.wholeMatch(of: /\d+x\d+/) != nil)
    #expect(facts.isV2 == (family.name == "sd2"))
  }

  @Test func anyModelHasNone() { #expect(FamilyMetadata(of: .generic) == nil) }

  /// Loaders tell families apart by them.
  @Test func differ() {
    let all = Self.families.compactMap { FamilyMetadata(of: $0) }
    #expect(Set(all.map(\.baseModelVersion)).count == Self.families.count)
    #expect(Set(all.map(\.architecture)).count == Self.families.count)
  }

  /// Written by sd-scripts 48d368f and musubi-tuner 30c658c of what they train: `ss_base_model_version`,
  /// `modelspec.architecture` and `modelspec.implementation`.
  @Test(arguments: [
    ("sd1", "sd_v1", "stable-diffusion-v1", "diffusers", "512x512"),
    ("sd2", "sd_v2", "stable-diffusion-v2-512", "diffusers", "512x512"),
    (
      "sdxl", "sdxl_base_v1-0", "stable-diffusion-xl-v1-base",
      "https://github.com/Stability-AI/generative-models", "1024x1024"
    ),
    ("flux", "flux1", "flux-1-dev", "https://github.com/black-forest-labs/flux", "1024x1024"),
    (
      "hunyuan-video", "hunyuan_video", "hunyuan-video", "https://github.com/Tencent/HunyuanVideo",
      "1280x720"
    ),
    ("wan", "wan", "wan2.1", "https://github.com/Wan-Video/Wan2.1", "1280x720"),
    ("qwen-image", "qwen_image", "Qwen-Image", "https://github.com/QwenLM/Qwen-Image", "1328x1328"),
  ])
  func trainersWords(
    name: String, version: String, architecture: String, implementation: String, resolution: String
  ) throws {
    let facts = try #require(ModelFamily.named(name).flatMap { FamilyMetadata(of: $0) })
    #expect(facts.baseModelVersion == version)
    #expect(facts.architecture == architecture)
    #expect(facts.trainedImplementation == implementation)
    #expect(facts.resolution == resolution)
  }

  /// SD2 models that predict v have a name of their own; everything else is said alike.
  @Test func velocity() throws {
    let sd2 = try #require(ModelFamily.named("sd2").flatMap { FamilyMetadata(of: $0) })
    #expect(sd2.variant(FamilyMetadata.velocity).architecture == "stable-diffusion-v2-768-v")
    #expect(sd2.variant(FamilyMetadata.velocity).baseModelVersion == "sd_v2")
    #expect(sd2.variant(FamilyMetadata.velocity).isV2)
    let sdxl = try #require(ModelFamily.named("sdxl").flatMap { FamilyMetadata(of: $0) })
    #expect(sdxl.variant(FamilyMetadata.velocity) == sdxl)
  }
}
