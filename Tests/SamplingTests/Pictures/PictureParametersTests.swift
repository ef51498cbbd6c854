import Sampling
import Testing

@Suite struct PictureParametersTests {
  private func request() throws -> PictureRequest {
    PictureRequest(
      "a red bag", negative: "blurry", width: 512, height: 768, seed: 42, steps: 20,
      scale: 7.5, sampler: try Sampler(parsing: "Euler a"))
  }

  private func text(
    _ request: PictureRequest, clipSkip: Int? = nil, emphasis: String? = nil,
    adapters: [PictureParameters.Adapter] = [], model: String = "base", vae: String? = nil
  ) -> String {
    PictureParameters(
      request, model: model, vae: vae, clipSkip: clipSkip, emphasis: emphasis, adapters: adapters,
      version: "lyco 1.0.0"
    ).text
  }

  /// As web UIs write it and read it again.
  @Test func isThatOfWebUIs() throws {
    let text = text(
      try request(), clipSkip: 2,
      adapters: [
        .init(name: "style", denoiserRatio: 0.8, textRatio: 0.8, hash: "0123456789ab"),
        .init(name: "face", denoiserRatio: 1, textRatio: 0.5, hash: "ba9876543210"),
      ], vae: "sharp")
    #expect(
      text == """
        a red bag <lora:style:0.8> <lora:face:0.5:1>
        Negative prompt: blurry
        Steps: 20, Sampler: Euler a, CFG scale: 7.5, Seed: 42, Size: 512x768, Model: base, VAE: sharp, \
        Clip skip: 2, Lora hashes: "style: 0123456789ab, face: ba9876543210", Version: lyco 1.0.0
        """)
  }

  @Test func saysOnlyWhatIsSo() throws {
    var request = try request()
    request.scale = 1
    request.sampler = try Sampler(parsing: "DPM++ 2M Karras")
    #expect(
      text(request, clipSkip: 1, emphasis: "None", model: "a, b") == """
        a red bag
        Steps: 20, Sampler: DPM++ 2M, Schedule type: Karras, CFG scale: 1, Seed: 42, Size: 512x768, \
        Model: "a, b", Emphasis: None, Version: lyco 1.0.0
        """)
  }
}
